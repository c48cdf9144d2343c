// One client in a process of its own, so that no client profits or suffers from another's JIT and heap.
// Told how many requests to make, it answers with the CPU and wall time that they took.

const [, , file, url, sockets] = process.argv;
const client = await import(file);
const driver = await client.start(url, Number(sockets));

process.on("message", async ({ requests }) => {
  const cpu = process.cpuUsage();
  const from = performance.now();
  let left = requests;
  const loop = async () => {
    while (left-- > 0) await driver.run();
  };
  await Promise.all(Array.from({ length: Number(sockets) }, loop));
  const { user, system } = process.cpuUsage(cpu);
  process.send({
    kind: "round",
    cpuMicros: (user + system) / requests,
    wallMicros: ((performance.now() - from) * 1000) / requests,
    opened: driver.opened?.() ?? null,
  });
});
process.on("disconnect", () => {
  driver.stop();
  process.exit();
});
process.send({ kind: "ready", name: client.name });
