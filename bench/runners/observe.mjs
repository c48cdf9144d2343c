// A client with somebody who looks on in one way. Told how many requests to make, it answers with the CPU time that
// they took, what looked on included, and how often that was told of something.

import { spawn } from "node:child_process";
import { once } from "node:events";

import { serveDashboard } from "../../dist/dashboard/index.js";
import { recordHar } from "../../dist/har/index.js";
import { Client, subscribe } from "../../dist/index.js";
import { channels } from "../../dist/observe/channels.js";
import { Scraper } from "../../dist/prometheus/index.js";
import { serve, settings } from "../processes.mjs";

const { way, url, sockets } = settings();
const client = new Client({ maxSockets: sockets });
let told = 0;
const note = () => {
  told++;
};
const everySecond = (look) => setInterval(look, 1_000).unref();

/** A program that reads the feed of a dashboard, and says when it has begun. */
const readFeed = `
  require("node:http").get(process.argv[1] + "feed", (response) => {
    response.once("data", () => console.log("reading"));
    response.resume().on("end", () => process.exit());
  });`;

const begin = {
  nobody: () => {},
  again: () => {},
  stats: () => everySecond(() => client.stats()),
  reader: () => {
    const reader = client.statsReader();
    everySecond(() => reader.read());
  },
  scrape: () => {
    const scraper = new Scraper(client);
    everySecond(() => scraper.text());
  },
  "one-event": () => subscribe({ "connection:retired": note }),
  "all-events": () =>
    subscribe(Object.fromEntries(Object.keys(channels).map((name) => [name, note]))),
  har: () => recordHar(client),
  dashboard: async () => {
    const { url } = await serveDashboard(client);
    const reader = spawn(process.execPath, ["--eval", readFeed, url], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    process.on("exit", () => reader.kill());
    await once(reader.stdout, "data");
  },
};
await begin[way]();

serve({
  ready: {},
  reply: async ({ requests }) => {
    told = 0;
    const cpu = process.cpuUsage();
    let left = requests;
    const loop = async () => {
      while (left-- > 0) {
        const response = await client.request(url);
        await response.body.text();
      }
    };
    await Promise.all(Array.from({ length: sockets }, loop));
    const { user, system } = process.cpuUsage(cpu);
    return { cpuMicros: (user + system) / requests, told };
  },
  stop: () => client.destroy(),
});
