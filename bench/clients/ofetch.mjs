import { ofetch } from "ofetch";
import { works } from "../works.mjs";

export const name = "ofetch";

export async function start(url, _, { method, headers, body } = works.get) {
  const options = { method, headers, body, responseType: "text", retry: 0 };
  return {
    run: (signal) => ofetch(url, { ...options, signal }),
    stop: () => {},
  };
}
