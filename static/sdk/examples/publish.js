// Offers a model: writes its card and sends it to review. Without an argument, your newest model.
//
//     node examples/publish.js [model_id]

import { neural_document_model, neural_list_models, neural_publish_template } from "../neural.js";

const [given] = process.argv.slice(2);
const model_id = given ?? (await neural_list_models()).models[0]?.id;
if (!model_id) throw new Error("You have no model yet; basic-training.js makes one.");

await neural_document_model({
  model_id,
  licence: "Apache-2.0",
  intended_use: "Reading single handwritten digits that were scanned to 8 × 8 pixels.",
  limits: "It has seen no letters, and names a digit all the same.",
  ethics: "A digit read wrongly in a sum of money harms who wrote it; have a person look at unsure answers.",
});
const template = await neural_publish_template({
  model_id,
  name: "My digit reader",
  description: "Reads single handwritten digits of 8 × 8 pixels.",
  category: "vision",
  price: 15,
});
console.log(`template ${template.template_id}: ${template.price_credits} credits, ${template.status}`);
