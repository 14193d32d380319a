// The naive catalog: reads one product.
import express from "express";
import { collection, listen } from "./service.js";

const products = await collection("products");
const app = express();

app.get("/api/v1/products/:id", async (request, response) => {
  const found = await products.findOne({ _id: request.params.id });
  if (found) response.json({ id: found._id, name: found.name, price: found.price });
  else response.status(404).json({ code: "not_found" });
});

listen(app);
