/**
 * fast-check with a fixed seed, so that what fails is what was changed. KEEPLINE_SEED=n draws other values.
 */
import fc from "fast-check";

fc.configureGlobal({ seed: Number(process.env.KEEPLINE_SEED ?? 1) });

export { fc };
