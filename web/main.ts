import load, { version } from "portcullis-wasm";

await load();
const place = document.getElementById("version");
if (place) place.textContent = version();
