// Buys a template where it has a price, deploys it, and asks it for one prediction.
//
//     node examples/deploy.js template_id '[0, 0, 5, …]'

import { NeuralError, neural_buy_template, neural_deploy_template, neural_predict } from "../neural.js";

const [template_id, row] = process.argv.slice(2);
if (!row) throw new Error("Say which template, and one row as JSON.");

try {
  const { price_credits } = await neural_buy_template({ template_id });
  console.log(`bought for ${price_credits} credits`);
} catch (error) {
  // What is yours, or was bought before, needs no purchase; anything else does end here.
  if (!(error instanceof NeuralError) || !["already_bought", "own_template"].includes(error.code)) throw error;
  console.log(error.message);
}
const deployment = await neural_deploy_template({ template_id, custom_config: { name: "From the example" } });
console.log(`deployment ${deployment.deployment_id}: ${deployment.call_price_credits} credits a call`);

const { model_id } = deployment;
const { predictions: [answer], credits } = await neural_predict({ model_id, input_data: JSON.parse(row) });
console.log(`${answer.label ?? JSON.stringify(answer)} for ${credits} credits`);
