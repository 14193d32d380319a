// Users that only read: one look at the health for four at the shelves.

import { browse, health, listCategories, look, options as shape, pause } from "./shop.js";

export const options = shape();

export default function () {
  health();
  browse();
  look();
  browse();
  listCategories();
  pause();
}
