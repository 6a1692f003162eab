/** An object store in a folder of an FTPS server: an entry point of its own, so that nothing else loads its client. */
export { type FtpsOptions, type FtpsStore, openFtpsStore } from "./ftps.ts";
