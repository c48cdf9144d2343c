// How requests are sent with undici's request through a dispatcher, whichever it is.

export const sendThrough = (request, dispatcher, url) => ({
  run: async (signal) => {
    const response = await request(url, { dispatcher, signal });
    await response.body.text();
  },
  stop: () => dispatcher.destroy(),
});
