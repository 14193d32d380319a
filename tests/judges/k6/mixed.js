// Users that write as much as they read: health, register, list, create, a short pause.

import { browse, createProduct, health, options as shape, pause, register } from "./shop.js";

export const options = shape();

export default function () {
  health();
  register();
  browse();
  createProduct();
  pause();
}
