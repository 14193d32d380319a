// The shop as users of a load test see it: its calls, each judged by the status that it must have. What a script does with
// them stands in the script.

import { check, sleep } from "k6";
import http from "k6/http";
import { Rate } from "k6/metrics";

const URL = __ENV.JUDGES_URL;
const PRODUCTS = __ENV.JUDGES_PRODUCTS.split(",");
const PASSWORD = __ENV.JUDGES_PASSWORD;

// Answers with a 5xx; what was refused with `Retry-After` counts when it was refused once more then.
const broken = new Rate("broken");
// Calls that were refused for a moment and sent again.
const repeated = new Rate("repeated");
// Calls without the answer that they must have.
const failed = new Rate("failed");

// Nothing broken, and less than one call of a hundred failed.
export function options() {
  return {
    scenarios: {
      users: {
        executor: "ramping-vus",
        startVUs: 0,
        stages: [
          { duration: `${Math.ceil(Number(__ENV.JUDGES_SECONDS) / 2)}s`, target: Number(__ENV.JUDGES_USERS) },
          { duration: `${Math.ceil(Number(__ENV.JUDGES_SECONDS) / 2)}s`, target: Number(__ENV.JUDGES_USERS) },
        ],
        gracefulRampDown: "0s",
        gracefulStop: "30s",
      },
    },
    thresholds: { broken: ["rate==0"], failed: ["rate<0.01"], repeated: ["rate<0.01"] },
    summaryTrendStats: ["avg", "med", "p(95)", "p(99)", "max"],
  };
}

// Makes a call; the answer, or null if its status is none of these.
function call(method, path, statuses, { body, token, headers } = {}) {
  const name = `${method} ${path.split("?")[0].replace(/[0-9a-f-]{36}/g, "{id}")}`;
  const text = body === undefined ? null : JSON.stringify(body);
  const settings = {
    headers: {
      ...(body === undefined ? {} : { "Content-Type": "application/json" }),
      ...(token ? { Authorization: `Bearer ${token}` } : {}),
      ...headers,
    },
    tags: { name },
    timeout: "30s",
  };
  let answer = http.request(method, `${URL}${path}`, text, settings);
  const wait = answer.status === 503 ? Number(answer.headers["Retry-After"]) : 0;
  repeated.add(wait > 0);
  if (wait > 0) {
    // As a client does (RFC 9110, 10.2.3).
    sleep(wait);
    answer = http.request(method, `${URL}${path}`, text, settings);
  }
  const good = statuses.includes(answer.status);
  // 0 is no answer at all.
  broken.add(answer.status >= 500 || answer.status === 0);
  failed.add(!good);
  if (!good) console.error(`wrong: ${name} answered ${answer.status} ${reason(answer)}`);
  check(answer, { [`${name} is ${statuses.join(" or ")}`]: () => good });
  return good ? answer : null;
}

// Why an answer is not what it must be: the shop's code, or what k6 says where there is none.
function reason(answer) {
  try {
    return answer.json("code");
  } catch {
    return answer.error;
  }
}

let count = 0;
// A text that no other user and no other call has.
function unique() {
  count += 1;
  return `${__VU}-${count}-${Math.random().toString(36).slice(2)}`;
}

function any(list) {
  return list[Math.floor(Math.random() * list.length)];
}

// Users who only take breath, as scripts do.
export function pause() {
  sleep(0.1);
}

// Users who register again and again: 4 to 6 seconds. 50 of them want 10 hashes of passwords a second: less than half of what
// two cores make, so that the queue for one, where somebody is refused after 5 s, stays short on a machine half as fast, too.
export function rest() {
  sleep(4 + 2 * Math.random());
}

// Users who look at what they got: 10 to 20 seconds.
export function think() {
  sleep(10 + 10 * Math.random());
}

export function health() {
  call("GET", "/health", [200]);
}

export function browse() {
  call("GET", `/api/v1/products?size=20&page=${any([1, 1, 1, 2])}`, [200]);
}

export function look() {
  call("GET", `/api/v1/products/${any(PRODUCTS)}`, [200]);
}

export function listCategories() {
  call("GET", "/api/v1/categories", [200]);
}

// A new customer: address and token.
export function register() {
  const email = `${unique()}@k6.example`;
  const answer = call("POST", "/api/v1/auth/register", [201], { body: { email, password: PASSWORD, name: "Ada" } });
  return answer && { email, token: answer.json("token") };
}

export function logIn(customer) {
  call("POST", "/api/v1/auth/login", [200], { body: { email: customer.email, password: PASSWORD } });
}

export function createProduct() {
  const body = { name: `Cup ${unique()}`, price: { amount: 1999, currency: "EUR" } };
  call("POST", "/api/v1/products", [201], { body, token: __ENV.JUDGES_STAFF });
}

// From the shelf to the paid order.
export function journey() {
  const customer = register();
  if (customer === null) return;
  const { token } = customer;
  browse();
  look();
  const cart = call("POST", "/api/v1/carts", [201], { token });
  if (cart === null) return;
  const id = cart.json("id");
  const item = { productId: any(PRODUCTS), quantity: 1 };
  if (call("POST", `/api/v1/carts/${id}/items`, [200], { token, body: item }) === null) return;
  // An order that takes longer than a client should wait goes on after 202.
  const order = call("POST", "/api/v1/orders", [201, 202], {
    token,
    headers: { "Idempotency-Key": unique() },
    body: { cartId: id, payment: { method: "tok_visa" } },
  });
  if (order === null) return;
  call("GET", `/api/v1/orders/${order.json("id")}`, [200], { token });
}
