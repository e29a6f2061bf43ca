// A picture's file as the pixels that a network is shown, with the bits of training/runner/pixels.py:
// Pillow's whites, greys and bilinear filter. Of PNG alone, and of that what everybody decodes alike;
// JPEG and WebP do not say to the bit what their pixels are, so no browser is believed there.

const PLAIN = ["IHDR", "PLTE", "tRNS", "IDAT", "IEND", "gAMA", "cHRM", "sRGB", "iCCP", "pHYs", "tIME", "bKGD", "sBIT", "tEXt"];
const SAMPLES = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 }; // of a pixel, by the kind of colour
const PIXELS_MAX = 16_000_000;
const PRECISION = 22; // bits after the point of a filter's weight
const clipped = (value) => Math.min(255, Math.max(0, value));

// As float32 numbers [height, width, channels], or nothing where this site has to read it.
export async function numbersOf(bytes, recipe) {
  const picture = await opened(bytes);
  if (!picture) return null;
  const seen = resized(recipe.channels === 1 ? grey(picture) : picture, recipe), white = Math.fround(recipe.white / 255);
  return Float32Array.from(seen, (pixel) => pixel * white);
}

async function opened(bytes) {
  const found = chunks(bytes), head = found?.IHDR?.[0];
  if (!head || head.length !== 13) return null;
  const view = new DataView(head.buffer, head.byteOffset), [width, height] = [view.getUint32(0), view.getUint32(4)];
  const [depth, colour, , , interlaced] = head.subarray(8), samples = SAMPLES[colour], [palette] = found.PLTE ?? [];
  const [clear] = found.tRNS ?? [], isOdd = clear && (colour === 3 ? !palette : depth !== 8 || ![0, 2].includes(colour));
  if (!samples || interlaced || isOdd || !width || !height || width * height > PIXELS_MAX || (colour === 3 && !palette)) return null;
  const stride = Math.ceil(width * samples * depth / 8);
  const lines = unfiltered(await inflated(found.IDAT ?? []), stride, height, Math.max(1, samples * depth / 8));
  return lines && coloured({ width, height, depth, colour, samples, palette, clear }, lines, stride);
}

// By kind; nothing where it is no PNG, or has a part that may change what is seen: a second picture,
// or how the camera was held.
function chunks(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length), found = {};
  if (bytes.length < 8 || view.getUint32(0) !== 0x89504e47 || view.getUint32(4) !== 0x0d0a1a0a) return null;
  for (let at = 8; at + 12 <= bytes.length; ) {
    const length = view.getUint32(at), kind = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    const content = bytes.subarray(at + 8, at + 8 + length);
    const isProfile = kind === "tEXt" && /^(Raw profile|XML)/.test(String.fromCharCode(...content.subarray(0, 16)));
    if (!PLAIN.includes(kind) || isProfile || content.length !== length) return null;
    (found[kind] ??= []).push(content);
    if (kind === "IEND") return found;
    at += 12 + length;
  }
  return null;
}

async function inflated(contents) {
  try {
    const stream = new Blob(contents).stream().pipeThrough(new DecompressionStream("deflate"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  } catch {
    return new Uint8Array();
  }
}

// Each line less what its filter foretold of it.
function unfiltered(raw, stride, height, step) {
  if (raw.length !== (stride + 1) * height) return null;
  const found = new Uint8Array(stride * height);
  for (let line = 0; line < height; line++) {
    const kind = raw[line * (stride + 1)], from = line * (stride + 1) + 1, to = line * stride;
    if (kind > 4) return null;
    for (let at = 0; at < stride; at++) {
      const left = at < step ? 0 : found[to + at - step], above = line ? found[to + at - stride] : 0;
      const corner = line && at >= step ? found[to + at - stride - step] : 0;
      found[to + at] = raw[from + at] + [0, left, above, (left + above) >> 1, kind === 4 ? paeth(left, above, corner) : 0][kind];
    }
  }
  return found;
}

function paeth(left, above, corner) {
  const [a, b, c] = [left, above, corner].map((each) => Math.abs(left + above - corner - each));
  return a <= b && a <= c ? left : b <= c ? above : corner;
}

// Red, green and blue of each pixel; what shines through is white.
function coloured(head, lines, stride) {
  const { width, height, depth, colour, samples, palette, clear } = head, most = colour === 3 ? 1 : 255 / (2 ** Math.min(depth, 8) - 1);
  const pixels = new Uint8Array(width * height * 3), pixel = [0, 0, 0, 0];
  for (let at = 0; at < width * height; at++) {
    const line = Math.floor(at / width) * stride, first = (at % width) * samples;
    for (let n = 0; n < samples; n++) pixel[n] = sample(lines, line, first + n, depth) * most;
    let [red, green, blue, alpha] = samples < 3 ? [pixel[0], pixel[0], pixel[0], samples === 2 ? pixel[1] : 255]
      : [pixel[0], pixel[1], pixel[2], samples === 4 ? pixel[3] : 255];
    if (colour === 3) {
      if (red * 3 + 2 >= palette.length) return null;
      [red, green, blue, alpha] = [...palette.subarray(red * 3, red * 3 + 3), clear?.[red] ?? 255];
    } else if (clear && [red, green, blue].slice(0, samples).every((value, n) => value === clear[2 * n] * 256 + clear[2 * n + 1])) alpha = 0;
    pixels.set([red, green, blue].map((value) => onWhite(value, alpha)), at * 3);
  }
  return { width, height, channels: 3, pixels };
}

// Of deep ones the upper byte.
function sample(lines, line, number, depth) {
  if (depth >= 8) return lines[line + number * depth / 8];
  const at = number * depth;
  return (lines[line + (at >> 3)] >> (8 - depth - (at & 7))) & (2 ** depth - 1);
}

function onWhite(value, alpha) {
  if (alpha === 255) return value;
  const sum = value * alpha * 128 + 255 * (255 - alpha) * 128 + 16384;
  return (((sum >> 8) + sum) >> 8) >> 7;
}

function grey({ width, height, pixels }) {
  const found = new Uint8Array(width * height);
  for (let at = 0; at < found.length; at++)
    found[at] = (pixels[3 * at] * 19595 + pixels[3 * at + 1] * 38470 + pixels[3 * at + 2] * 7471 + 0x8000) >> 16;
  return { width, height, channels: 1, pixels: found };
}

// Across and down, each to bytes; first down where that takes away far more, as Pillow 13 has it.
function resized({ width, height, channels, pixels }, wanted) {
  const across = (given, lines) => filtered(given, {
    lines, from: width, to: wanted.width, channels, line: width * channels, step: channels, isAcross: true });
  const down = (given, columns) => filtered(given, {
    lines: columns, from: height, to: wanted.height, channels, line: channels, step: columns * channels, isAcross: false });
  const isDownFirst = height > wanted.height && height - wanted.height > 2 * (width - wanted.width);
  return isDownFirst ? across(down(pixels, width), wanted.height) : down(across(pixels, height), wanted.width);
}

function filtered(pixels, { lines, from, to, line, step, channels, isAcross }) {
  if (from === to) return pixels;
  const found = new Uint8Array(lines * to * channels), weights = Array.from({ length: to }, (_, at) => weightsOf(from, to, at));
  for (let row = 0; row < lines; row++)
    for (const [at, { first, each }] of weights.entries())
      for (let n = 0; n < channels; n++) {
        let sum = 2 ** (PRECISION - 1);
        for (let k = 0; k < each.length; k++) sum += pixels[row * line + (first + k) * step + n] * each[k];
        const place = isAcross ? row * to + at : at * lines + row;
        found[place * channels + n] = clipped(sum >> PRECISION);
      }
  return found;
}

// Of the triangle about the middle of a pixel of the smaller picture, in whole numbers.
function weightsOf(from, to, at) {
  const scale = from / to, support = Math.max(scale, 1), center = (at + 0.5) * scale, inverse = 1 / support;
  const first = Math.max(0, Math.trunc(center - support + 0.5)), end = Math.min(from, Math.trunc(center + support + 0.5));
  const raw = Array.from({ length: end - first }, (_, k) => Math.max(0, 1 - Math.abs((k + first - center + 0.5) * inverse)));
  const total = raw.reduce((sum, weight) => sum + weight, 0);
  return { first, each: raw.map((weight) => Math.trunc(0.5 + (total ? weight / total : weight) * 2 ** PRECISION)) };
}
