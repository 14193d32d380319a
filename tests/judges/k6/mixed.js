// Users that write as much as they read: health, register, list, create, and a rest.

import { browse, createProduct, health, options as shape, register, rest } from "./shop.js";

export const options = shape();

export default function () {
  health();
  register();
  browse();
  createProduct();
  rest();
}
