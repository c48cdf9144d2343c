// The global fetch has no limit on sockets of its own: the requests under way are the limit.

export const name = "built-in fetch";

export const start = async (url) => ({
  run: async (signal) => (await fetch(url, { signal })).text(),
  stop: () => {},
});
