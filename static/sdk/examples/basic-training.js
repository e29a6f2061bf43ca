// From nothing to a prediction: trains a small network on handwritten digits, waits until it has
// been measured on rows that it never read, and shows it a digit.
//
//     export NEURAL_API_KEY="nnm_live_…"                # from /account/keys/
//     export NEURAL_API_URL="http://127.0.0.1:8000"     # the site; this is the default
//     node examples/basic-training.js

import { neural_predict, neural_train, wait_for_training, wait_for_validation } from "../neural.js";

const config = {
  architecture: {
    type: "feedforward",
    layers: [
      { type: "input", params: { size: 64 } },
      { type: "hidden", params: { size: 64, activation: "relu" } },
      { type: "output", params: { size: 10, activation: "softmax" } },
    ],
  },
  training: { epochs: 20, batch_size: 32, learning_rate: 0.003, optimizer: "adam" },
};

// Eight rows of eight pixels, each from 0 (paper) to 16 (ink).
const digit = [
  [0, 0, 0, 1, 11, 0, 0, 0],
  [0, 0, 0, 7, 8, 0, 0, 0],
  [0, 0, 1, 13, 6, 2, 2, 0],
  [0, 0, 7, 15, 0, 9, 8, 0],
  [0, 5, 16, 10, 0, 16, 6, 0],
  [0, 4, 15, 16, 13, 16, 1, 0],
  [0, 0, 0, 3, 15, 10, 0, 0],
  [0, 0, 0, 2, 16, 4, 0, 0],
].flat();

const percent = (share) => `${(100 * share).toFixed(1)} %`;

const asked = { config, dataset: "digits", tier: "nano", seed: 1, name: "First reader" };
const started = await neural_train(asked);
console.log(`job ${started.job_id}, at most ${started.estimated_cost} credits`);

const job = await wait_for_training(started, {
  on_progress: ({ status, current_epoch, total_epochs, current_loss }) =>
    console.log(`${status}: epoch ${current_epoch} of ${total_epochs}, loss ${current_loss?.toFixed(4) ?? "–"}`),
});
console.log(`model ${job.model_id}, for ${job.credits_used} credits`);

const { rows, metrics } = await wait_for_validation(job);
const { value, low, high } = metrics.accuracy;
console.log(`accuracy ${percent(value)} on ${rows} rows that it never read (95 %: ${percent(low)} to ${percent(high)})`);

const { predictions: [answer] } = await neural_predict({ model_id: job.model_id, input_data: digit });
console.log(`the digit is ${answer.label}, ${percent(answer.confidence)} sure`);
