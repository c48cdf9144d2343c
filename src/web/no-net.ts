/**
 * What the check of the option `connect` needs of `node:net`, where a page is bundled: simulations have no `connect`.
 */

/** 0: it is no address, as far as this can tell. */
export const isIP = (): 0 => 0;
