// The naive user service: registers people with bcrypt at cost 8 and signs a token. No sessions, no limits, no events.
import { createHmac, randomBytes } from "node:crypto";
import bcrypt from "bcrypt";
import express from "express";
import { collection, listen } from "./service.js";

const COST = 8;
const WEEK = 7 * 24 * 3600;
const users = await collection("users");
await users.createIndex({ email: 1 }, { unique: true });
const secret = randomBytes(32);
const app = express();
app.use(express.json());

function token(user) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const now = Math.floor(Date.now() / 1000);
  const signed = `${part({ alg: "HS256", typ: "JWT" })}.${part({ userId: user._id, iat: now, exp: now + WEEK })}`;
  return `${signed}.${createHmac("sha256", secret).update(signed).digest("base64url")}`;
}

app.post("/api/auth/register", async (request, response) => {
  const { email, password, name } = request.body;
  if (!email || !password || !name) return response.status(400).json({ error: "email, password and name are required" });
  const address = email.trim().toLowerCase();
  if (await users.findOne({ email: address })) return response.status(400).json({ error: "there is such a user" });
  const now = new Date();
  const user = { email: address, password: await bcrypt.hash(password, COST), name, createdAt: now, updatedAt: now };
  await users.insertOne(user);
  const shown = { id: user._id, email: address, name, createdAt: now };
  response.status(201).json({ message: "User registered successfully", token: token(user), user: shown });
});

listen(app);
