// The naive catalog: reads one product, lists products and takes new ones. No cache: in the mix each list follows a write.
import express from "express";
import { collection, listen } from "./service.js";

const products = await collection("products");
await products.createIndex({ createdAt: -1 });
const app = express();
app.use(express.json());

app.get("/api/v1/products/:id", async (request, response) => {
  const found = await products.findOne({ _id: request.params.id });
  if (found) response.json({ id: found._id, name: found.name, price: found.price });
  else response.status(404).json({ code: "not_found" });
});

app.get("/api/products", async (request, response) => {
  const page = Math.max(Number(request.query.page ?? 1), 1);
  const limit = Math.min(Number(request.query.limit ?? 20), 100);
  const [found, total] = await Promise.all([
    products.find().sort({ createdAt: -1 }).skip((page - 1) * limit).limit(limit).toArray(),
    products.estimatedDocumentCount(),
  ]);
  response.json({ products: found, pagination: { page, limit, total, pages: Math.ceil(total / limit) }, cached: false });
});

app.post("/api/products", async (request, response) => {
  const { name, description, price, category, stock = 0 } = request.body;
  if (!name || !description || !price || !category) return response.status(400).json({ error: "a field is missing" });
  const now = new Date();
  const product = { name, description, price, category, stock, createdAt: now, updatedAt: now };
  await products.insertOne(product);
  response.status(201).json({ message: "Product created successfully", product });
});

listen(app);
