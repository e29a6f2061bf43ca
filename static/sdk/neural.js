// The operations of the API as functions, for Node 20 and later and for browsers.
//
//     import { neural_train, neural_predict, wait_for_training } from "neural-sdk";
//     const job = await wait_for_training(await neural_train({ config, tier: "nano" }));
//     const { predictions } = await neural_predict({ model_id: job.model_id, input_data: row });
//
// The key is read from NEURAL_API_KEY and the site's address from NEURAL_API_URL; in a browser the
// address is the page's own, and without a key who is signed in there calls. `connect` takes both
// from your program instead, for several accounts at once.
//
// Every function takes one object, with the API's own names, and answers what the API answers. What
// is refused is thrown as a NeuralError. A call that may be repeated is: each POST carries one
// Idempotency-Key through all its attempts, so however often it is sent, it acts once.

/**
 * @typedef {object} Settings
 * @property {string} [key] an API key, as /account/keys/ makes them
 * @property {string} [url] the site, such as https://models.example.org
 * @property {number} [patience] seconds that all waits between the attempts of one call may take
 * @property {number} [timeout] seconds that one attempt may take
 */
/**
 * @typedef {object} Options
 * @property {string} [idempotency_key] instead of a fresh one: the same call, also after a restart
 * @property {string} [if_match] of a change: the `etag` of the answer that it is meant for; without
 *   one it is made to whatever is there
 * @property {AbortSignal} [signal] ends the call and its waits
 */
/**
 * @typedef {object} Waiting
 * @property {(state: object) => void} [on_progress] told whenever something changed
 * @property {number} [patience] seconds after which it gives up; the work itself goes on
 * @property {AbortSignal} [signal]
 */
/** @typedef {"nano" | "mini" | "small" | "medium" | "large"} Tier */
/**
 * @typedef {object} Job
 * @property {string} job_id also as `jobId`
 * @property {"queued" | "leased" | "running" | "done" | "failed" | "cancelled" | "quarantined"} status
 * @property {number} progress from 0 to 100
 * @property {number} current_epoch
 * @property {number} total_epochs
 * @property {number | null} current_loss
 * @property {number | null} validation_accuracy where an accuracy is measured
 * @property {string} estimated_cost in credits, an exact decimal
 * @property {string} credits_used
 * @property {string | null} model_id once it is done; also as `modelId`
 * @property {string} error_message
 */
/**
 * @typedef {(given?: Record<string, any>, options?: Options) => Promise<any>} Operation
 */
/**
 * @typedef {object} Special operations whose arguments and answers are spelled out
 * @property {(given: {config: object, tier?: Tier, dataset?: string | object, seed?: number,
 *   name?: string, parent_model_id?: string, user_id?: string}, options?: Options) => Promise<Job>} neural_train
 * @property {(given: {job_id: string}, options?: Options) => Promise<Job>} neural_training_status
 * @property {(given: {model_id: string, input_data?: any, input?: any}, options?: Options) =>
 *   Promise<{predictions: object[], confidence?: number, credits: string}>} neural_predict
 * @property {(job: string | Job, waiting?: Waiting) => Promise<Job>} wait_for_training
 * @property {(model: string | {model_id: string}, waiting?: Waiting) => Promise<object>} wait_for_validation
 */
/** @typedef {Special & Record<keyof typeof OPERATIONS, Operation>} Site */

// What {braces} name is taken from the argument; of the rest GET makes a query, all else a body.
const OPERATIONS = {
  neural_train: "POST /training-jobs",
  neural_training_status: "GET /training-jobs/{job_id}",
  neural_training_cancel: "DELETE /training-jobs/{job_id}",
  neural_training_curves: "GET /training-jobs/{job_id}/curves",
  neural_list_jobs: "GET /training-jobs",
  neural_propose_search: "GET /training-jobs/{job_id}/search",
  neural_search: "POST /searches",
  neural_search_status: "GET /searches/{search_id}",
  neural_search_cancel: "DELETE /searches/{search_id}",
  neural_list_searches: "GET /searches",
  neural_list_models: "GET /models",
  neural_get_model: "GET /models/{model_id}",
  neural_model_card: "GET /models/{model_id}/card",
  neural_document_model: "PUT /models/{model_id}/card",
  neural_model_bom: "GET /models/{model_id}/bom",
  neural_predict: "POST /models/{model_id}/predict",
  neural_validation_workflow: "POST /models/{model_id}/validations",
  neural_validation_status: "GET /models/{model_id}/validations",
  neural_performance_benchmark: "POST /models/{model_id}/benchmarks",
  neural_benchmark_status: "GET /models/{model_id}/benchmarks",
  neural_reproduce_model: "POST /models/{model_id}/reproductions",
  neural_reproductions: "GET /models/{model_id}/reproductions",
  neural_list_templates: "GET /templates",
  neural_get_template: "GET /templates/{template_id}",
  neural_publish_template: "POST /templates",
  neural_rate_template: "POST /templates/{template_id}/ratings",
  neural_buy_template: "POST /templates/{template_id}/purchases",
  neural_deploy_template: "POST /templates/{template_id}/deployments",
  neural_list_files: "GET /templates/{template_id}/files",
  neural_link_file: "POST /templates/{template_id}/files/{kind}/link",
  neural_cluster_init: "POST /clusters",
  neural_cluster_list: "GET /clusters",
  neural_cluster_status: "GET /clusters/{cluster_id}",
  neural_cluster_terminate: "DELETE /clusters/{cluster_id}",
  neural_node_deploy: "POST /clusters/{cluster_id}/nodes",
  neural_cluster_connect: "POST /clusters/{cluster_id}/connections",
  neural_train_distributed: "POST /clusters/{cluster_id}/training",
  neural_predict_distributed: "POST /clusters/{cluster_id}/predict",
};
const LOCAL = "http://127.0.0.1:8000"; // where a site of one's own is, unless it is told otherwise
const PATIENCE = 60, TIMEOUT = 60, TRAINING_PATIENCE = 6 * 3600;
const BUSY = [429, 502, 503, 504]; // and 409 where it says when to ask again
const OPEN = ["queued", "leased", "running"];
const environment = globalThis.process?.env ?? {};

/** Why a call was refused, or did not arrive. */
export class NeuralError extends Error {
  /** @param {{code: string, status?: number, detail?: string, problem?: object, cause?: unknown}} told */
  constructor({ code, status = 0, detail = code, problem = {}, cause }) {
    super(detail, { cause });
    this.name = "NeuralError";
    /** What went wrong, as /problems/ lists it; never reworded. */
    this.code = code;
    /** Of the answer; 0 where none came. */
    this.status = status;
    /** The whole answer: `detail`, `instance` (the id in the site's logs), `invalid_parameters`. */
    this.problem = problem;
  }
}

/**
 * The operations, in the name of one key.
 * @param {Settings} [settings]
 * @returns {Site}
 */
export function connect(settings = {}) {
  const site = {};
  for (const [name, line] of Object.entries(OPERATIONS))
    site[name] = (given, options) => call(settings, line, given, options);
  site.wait_for_training = (job, waiting) => trained(site, job, waiting);
  site.wait_for_validation = (model, waiting) => validated(site, model, waiting);
  return site;
}

/**
 * All entries of a list, page after page: `for await (const model of each(neural_list_models))`.
 * @param {Operation} list an operation whose answer has a `next`
 * @param {Record<string, any>} [given]
 */
export async function* each(list, given = {}) {
  for (let cursor; cursor !== null; ) {
    const page = await list(cursor ? { ...given, cursor } : given);
    yield* Object.values(page).find(Array.isArray);
    cursor = page.next ? new URL(page.next).searchParams.get("cursor") : null;
  }
}

async function trained(site, job, waiting = {}) {
  const job_id = job.job_id ?? job;
  const found = await until_over(() => site.neural_training_status({ job_id }, waiting), waiting);
  if (found.status === "done") return found;
  throw new NeuralError({
    code: found.error_code || found.status,
    detail: found.error_message || `The job ${job_id} is ${found.status}.`,
    problem: found,
  });
}

// The newest validation of a model: its training begins one by itself.
async function validated(site, model, waiting = {}) {
  const model_id = model.model_id ?? model;
  const newest = async () =>
    (await site.neural_validation_status({ model_id }, waiting)).validations[0] ?? { status: "queued" };
  const found = await until_over(newest, waiting);
  if (found.status === "done") return found;
  const detail = `The validation of ${model_id} is ${found.status}.`;
  throw new NeuralError({ code: `validation_${found.status}`, detail, problem: found });
}

async function until_over(look, { on_progress, patience = TRAINING_PATIENCE, signal }) {
  const end = Date.now() + 1000 * patience;
  for (let seconds = 0.2, told = ""; ; seconds = Math.min(1.2 * seconds, 5)) {
    const state = await look();
    const shown = JSON.stringify(state);
    if (shown !== told) on_progress?.(state);
    told = shown;
    if (!OPEN.includes(state.status)) return state;
    if (Date.now() > end)
      throw new NeuralError({ code: "still_running", problem: state,
        detail: `It is not over after ${patience} s; it goes on, and can be waited for again.` });
    await sleep(seconds, signal);
  }
}

async function call(settings, line, given = {}, options = {}) {
  const request = written(settings, line, given, options);
  const patience = settings.patience ?? PATIENCE;
  for (let attempt = 0, waited = 0; ; attempt++) {
    const { answer, error, seconds } = await attempted(request, settings, options.signal, attempt);
    if (!error) return answer;
    waited += seconds;
    if (waited > patience) throw error; // also where it is of no use to ask again
    await sleep(seconds, options.signal);
  }
}

function written(settings, line, given, options) {
  const [method, template] = line.split(" ");
  const rest = { ...given };
  const path = template.replace(/\{(\w+)\}/g, (_, name) => {
    if (rest[name] === undefined || rest[name] === "") refuse(`${name} is missing: ${line} needs it.`);
    const value = encodeURIComponent(rest[name]);
    delete rest[name];
    return value;
  });
  const url = new URL(`/api/v1${path}`, settings.url ?? environment.NEURAL_API_URL
    ?? globalThis.location?.origin ?? LOCAL);
  const headers = { Accept: "application/json", ...identity(settings) };
  if (method === "POST") headers["Idempotency-Key"] = options.idempotency_key ?? fresh_key();
  if (method === "GET") {
    for (const [name, value] of Object.entries(rest))
      if (value !== undefined && value !== null) url.searchParams.set(name, value);
    return { url, method, headers };
  }
  if (method !== "POST") headers["If-Match"] = options.if_match ?? "*";
  headers["Content-Type"] = "application/json";
  return { url, method, headers, body: JSON.stringify(rest) };
}

function identity(settings) {
  const key = settings.key ?? environment.NEURAL_API_KEY;
  if (key) return { Authorization: `Bearer ${key}` };
  if (globalThis.document === undefined)
    refuse("There is no API key: set NEURAL_API_KEY to one that /account/keys/ made.");
  const [, token] = /(?:^|; )csrftoken=([^;]+)/.exec(document.cookie) ?? [];
  return token ? { "X-CSRFToken": token } : {}; // of who is signed in on this site
}

function refuse(detail) {
  throw new NeuralError({ code: "invalid_call", detail });
}

// One attempt: its answer, or its error and the seconds after which another makes sense.
async function attempted(request, settings, signal, attempt) {
  const usual = 0.5 * 2 ** attempt * (1 + Math.random() / 4); // apart from all who wait for the same
  const { url, ...sent } = request;
  const timeout = AbortSignal.timeout(1000 * (settings.timeout ?? TIMEOUT));
  let response, text;
  try {
    response = await fetch(url, { ...sent, signal: signal ? AbortSignal.any([signal, timeout]) : timeout });
    text = await response.text();
  } catch (cause) {
    signal?.throwIfAborted();
    const detail = `${url.origin} cannot be reached: ${cause.cause?.message ?? cause.message}`;
    return { error: new NeuralError({ code: "unreachable", detail, cause }), seconds: usual };
  }
  if (response.ok) return { answer: answer_of(response, text) };
  const asked = retry_after(response);
  const again = BUSY.includes(response.status) || (response.status === 409 && asked !== null);
  return { error: error_of(response, text), seconds: again ? asked ?? usual : Infinity };
}

// What a change of it is held to stands beside the answer and not in it; a card is Markdown.
function answer_of(response, text) {
  const isJson = /json/.test(response.headers.get("Content-Type") ?? "");
  const answer = isJson && text ? JSON.parse(text) : { text };
  return Object.defineProperty(answer, "etag", { value: response.headers.get("ETag") });
}

function error_of(response, text) {
  let problem = {};
  try {
    problem = JSON.parse(text);
  } catch {
    // no answer of the API, but of what stands before it
  }
  const { status } = response;
  return new NeuralError({ code: problem.code ?? `http_${status}`, status, problem,
    detail: problem.detail ?? `${response.url} answers ${status} ${response.statusText}`.trim() });
}

function retry_after(response) {
  const given = response.headers.get("Retry-After");
  if (given === null) return null;
  const seconds = Number.isNaN(Number(given)) ? (Date.parse(given) - Date.now()) / 1000 : Number(given);
  return Number.isNaN(seconds) ? null : Math.max(seconds, 0);
}

function fresh_key() {
  const bytes = crypto.getRandomValues(new Uint8Array(16)); // randomUUID is missing without HTTPS
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function sleep(seconds, signal) {
  signal?.throwIfAborted();
  return new Promise((wake, stop) => {
    const timer = setTimeout(done, 1000 * seconds);
    function done() {
      signal?.removeEventListener("abort", aborted);
      wake();
    }
    function aborted() {
      clearTimeout(timer);
      stop(signal.reason);
    }
    signal?.addEventListener("abort", aborted, { once: true });
  });
}

export const {
  neural_train, neural_training_status, neural_training_cancel, neural_training_curves,
  neural_list_jobs, neural_propose_search, neural_search, neural_search_status,
  neural_search_cancel, neural_list_searches, neural_list_models, neural_get_model,
  neural_model_card, neural_document_model, neural_model_bom, neural_predict,
  neural_validation_workflow, neural_validation_status, neural_performance_benchmark,
  neural_benchmark_status, neural_reproduce_model, neural_reproductions, neural_list_templates,
  neural_get_template, neural_publish_template, neural_rate_template, neural_buy_template,
  neural_deploy_template, neural_list_files, neural_link_file, neural_cluster_init,
  neural_cluster_list, neural_cluster_status, neural_cluster_terminate, neural_node_deploy,
  neural_cluster_connect, neural_train_distributed, neural_predict_distributed, wait_for_training,
  wait_for_validation,
} = connect();
