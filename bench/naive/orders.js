// The naive order service: asks the catalog what a product costs and inserts the order. No stock, no payment, no
// idempotency, no events: after a crash nobody knows what was sold. Its insert waits for the majority, as ours do.
import { randomUUID } from "node:crypto";
import http from "node:http";
import express from "express";
import { collection, listen } from "./service.js";

const orders = await collection("orders");
const agent = new http.Agent({ keepAlive: true });
const app = express();
app.use(express.json());

function product(id) {
  return new Promise((resolve, reject) => {
    const ask = http.get(`${process.env.NAIVE_CATALOG_URL}/api/v1/products/${id}`, { agent }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (part) => (text += part));
      response.on("end", () => (response.statusCode === 200 ? resolve(JSON.parse(text)) : resolve(null)));
    });
    ask.on("error", reject);
  });
}

app.post("/api/v1/orders", async (request, response) => {
  const lines = [];
  for (const { productId, quantity } of request.body.items) {
    const found = await product(productId);
    if (!found) return response.status(422).json({ code: "invalid_field" });
    const total = found.price.amount * quantity;
    lines.push({ product: productId, name: found.name, quantity, unitPrice: found.price.amount, total });
  }
  const total = lines.reduce((sum, line) => sum + line.total, 0);
  const order = { _id: randomUUID(), lines, total, currency: "EUR", status: "confirmed", createdAt: new Date() };
  await orders.insertOne(order);
  response.status(201).json({ id: order._id, lines, total, currency: order.currency, status: order.status });
});

listen(app);
