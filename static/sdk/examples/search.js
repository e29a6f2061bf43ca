// Lists what the catalogue offers, page after page.
//
//     node examples/search.js [category] [words …]

import { each, neural_list_templates } from "../neural.js";

const [category, ...words] = process.argv.slice(2);
const asked = { ...(category && { category }), ...(words.length && { search: words.join(" ") }) };

for await (const found of each(neural_list_templates, asked)) {
  const figures = [`accuracy ${found.accuracy?.toFixed(3) ?? "–"}`, `p50 ${found.latency_p50_ms?.toFixed(3) ?? "–"} ms`];
  console.log([found.id, found.name, `${found.price_credits} credits`, ...figures].join(" | "));
}
