/** Put in by build.mjs. */
declare const __BUILD__: string;
declare const __PRECACHE__: string[];
/** Asked by start.js before the app was there; null when the app was first. */
declare var firstAnswer: Promise<Response> | null | undefined;
