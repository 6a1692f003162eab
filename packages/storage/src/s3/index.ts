/** The S3 store, an entry point of its own: nothing else loads the SDK. */
export { openS3Store, type S3Options, type S3Store } from "./s3.ts";
