import ky from "ky";
import { works } from "../works.mjs";

export const name = "ky";

export async function start(url, _, { method, headers, body } = works.get) {
  const options = { method, headers, body, retry: 0, timeout: false };
  return {
    run: (signal) => ky(url, { ...options, signal }).text(),
    stop: () => {},
  };
}
