/**
 * As untouched.mjs, with `require`.
 */
const http = require("node:http");

const [, , origin] = process.argv;

/** @param {(port: string) => void} done */
function send(done) {
  const request = http.request(origin, (response) => {
    let text = "";
    response.on("data", (piece) => {
      text += piece;
    });
    request.on("close", () => done(text));
  });
  request.end();
}

send((first) => send((second) => console.log(JSON.stringify([first, second]))));
