/**
 * A program that knows nothing of keepline: requests by `node:http` and by `fetch`, one after another. It says
 * from which ports they came, as the server tells it, and ends by itself.
 */
import { get } from "node:http";

const [, , origin = ""] = process.argv;

/** @returns {Promise<string>} */
function byHttp() {
  return new Promise((resolve, reject) => {
    const request = get(origin, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (piece) => {
        text += piece;
      });
      request.on("close", () => resolve(text));
    });
    request.on("error", reject);
  });
}

const byFetch = async () => (await fetch(origin)).text();

const ports = [await byHttp(), await byHttp(), await byFetch(), await byFetch()];
console.log(JSON.stringify(ports));
