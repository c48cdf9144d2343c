// A program as written for node:http, with one line changed: argv[2] names the module, argv[3] the port of the server.
const http = require(process.argv[2]);

const options = { host: "127.0.0.1", port: Number(process.argv[3]), path: "/" };
const ask = (then) => {
  http
    .request(options, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (chunk) => {
        text += chunk;
      });
      response.on("end", () => setImmediate(then, text));
    })
    .end();
};

ask((first) => {
  ask((second) => {
    const doneAt = performance.now();
    process.on("exit", (code) => {
      const msecs = Math.round(performance.now() - doneAt);
      process.stdout.write(JSON.stringify({ ports: [first, second], msecs, code }));
    });
  });
});
