// What the naive services share: their database, where they listen, and that they are well.
import { MongoClient } from "mongodb";

export async function collection(name) {
  const client = new MongoClient(process.env.MONGO_URI, { writeConcern: { w: "majority" } });
  await client.connect();
  return client.db("bench_naive").collection(name);
}

export function listen(app) {
  const [host, port] = process.env.NAIVE_ADDRESS.split(":");
  app.get("/readyz", (_, response) => response.sendStatus(200));
  app.get("/health", (_, response) =>
    response.json({ status: "OK", timestamp: new Date(), uptime: process.uptime(), memory: process.memoryUsage() }),
  );
  // NGINX closes idle connections after 4 s; no earlier here.
  app.listen(Number(port), host).keepAliveTimeout = 65_000;
}
