// How people type numbers, as training/services/numerals.py reads them: a point or a comma before the
// decimals, thousands apart or not. What may be one number or another is refused with a RangeError.

const OTHER = { ".": ",", ",": "." }; // what divides thousands where the first stands before decimals

const pattern = (mark, other) => new RegExp(
  `^[+-]?(?:(?:\\d+|[1-9]\\d{0,2}(?:[${other}]\\d{3})+)(?:[${mark}]\\d*)?|[${mark}]\\d+)(?:[eE][+-]?\\d+)?$`);
const PATTERNS = Object.entries(OTHER).map(([mark, other]) => [mark, other, pattern(mark, other)]);

// Each number that a word may be.
function readings(word) {
  const found = PATTERNS.filter(([, , number]) => number.test(word));
  return [...new Set(found.map(([mark, other]) => word.replaceAll(other, "").replaceAll(mark, ".")))];
}

// One number with a point before its decimals; what is none stays as it is.
export function numeral(text) {
  const word = text.trim(), found = readings(word);
  if (!found.length || (!word.includes(",") && word.split(".").length === 2)) return word;
  if (found.length === 1) return found[0];
  const [least, most] = found.sort((one, other) => one - other);
  throw new RangeError(`“${word}” may be ${least} or ${most}; write one of these`);
}

// Numbers that stand apart by blanks, lines, semicolons or commas.
export function numerals(text, hasLines) {
  const cut = text.split(/\s+/).map((word) => word.replace(/^,+|,+$/g, "")).filter(Boolean);
  const lines = text.split(/\r\n|[\r\n]/).filter((line) => line.trim()), inside = cut.filter((word) => word.includes(","));
  if (text.includes(";")) return text.split(/[;\s]+/).filter(Boolean).map(numeral);
  if (inside.some((word) => !readings(word).length)) return text.split(/[,\s]+/).filter(Boolean);
  if (inside.length && !(hasLines && lines.length === cut.length && cut.length > 1))
    throw new RangeError(`“${inside[0]}” may be one number or several; write decimals with a point, and a blank or a semicolon between values`);
  return cut.map(numeral);
}
