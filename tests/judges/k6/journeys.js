// All that people do, in the shares of a shop: 40 of 100 browse, 20 log in, 15 register, 10 ask for the health, 10 create a
// product, 5 go from the shelf to the paid order; and all think between what they do.

import { browse, createProduct, health, journey, logIn, options as shape, register, think } from "./shop.js";

export const options = shape();

// Every user logs in as the customer that they registered first.
let customer = null;

const SHARES = [
  [10, health],
  [40, browse],
  [15, register],
  [20, logInAgain],
  [10, createProduct],
  [5, journey],
];

function logInAgain() {
  if (customer === null) customer = register();
  else logIn(customer);
}

export default function () {
  let lot = Math.random() * 100;
  for (const [share, act] of SHARES) {
    lot -= share;
    if (lot < 0) {
      act();
      break;
    }
  }
  think();
}
