// Shows the camera and sends one frame at a time: the next only when the page has answered the last.
// None is sent for half a second after a press: Streamlit takes a press in the instant of a frame for part of the frame.
const LONGER_SIDE = 400, PATIENCE_MS = 3000, LEAVING_MS = 3000, PRESS_MS = 500;
const cameras = new WeakMap();

export default function ({ parentElement, data, setStateValue }) {
  let camera = cameras.get(parentElement);
  if (!camera) {
    camera = { number: 0, free: 0, video: parentElement.querySelector("video"), gone: new AbortController() };
    for (const press of ["pointerdown", "keydown"]) {
      const hold = () => { camera.free = performance.now() + PRESS_MS; };
      window.addEventListener(press, hold, { capture: true, signal: camera.gone.signal });
    }
    cameras.set(parentElement, camera);
    start(camera, parentElement);
  }
  clearTimeout(camera.leaving);
  camera.send = (frame) => setStateValue("frame", frame);
  if (data && camera.stream && data.number === camera.number) {
    draw(parentElement.querySelector("canvas"), camera.video, data);
    const words = data.faces.map((face) => face.words).join("; ") || "no face";
    parentElement.querySelector("p").textContent = `${words} (${data.rate} frames a second)`;
    next(camera);
  }
  return () => { camera.leaving = setTimeout(() => stop(camera, parentElement), LEAVING_MS); };
}

async function start(camera, element) {
  try {
    const stream = await navigator.mediaDevices.getUserMedia({ video: { width: { ideal: 640 } }, audio: false });
    if (camera.gone.signal.aborted) return release(stream); // allowed after the view was left
    camera.video.srcObject = camera.stream = stream;
    await camera.video.play();
    next(camera);
  } catch (error) {
    element.querySelector("p").textContent = `The camera cannot be used: ${error.name}`;
  }
}

function stop(camera, element) {
  clearTimeout(camera.waiting);
  release(camera.stream);
  camera.stream = null;
  camera.gone.abort();
  cameras.delete(element);
}

function release(stream) {
  stream?.getTracks().forEach((track) => track.stop());
}

function next(camera) {
  clearTimeout(camera.waiting);
  const { videoWidth, videoHeight } = camera.video;
  if (!camera.stream || !videoWidth) return;
  const hold = camera.free - performance.now();
  if (hold > 0) {
    camera.waiting = setTimeout(() => next(camera), hold);
    return;
  }
  const scale = Math.min(1, LONGER_SIDE / Math.max(videoWidth, videoHeight));
  const canvas = new OffscreenCanvas(4 * Math.round(videoWidth * scale / 4), Math.round(videoHeight * scale));
  const context = canvas.getContext("2d");
  context.drawImage(camera.video, 0, 0, canvas.width, canvas.height);
  const four = context.getImageData(0, 0, canvas.width, canvas.height).data;
  const three = new Uint8Array((four.length / 4) * 3);
  for (let from = 0, to = 0; from < four.length; from += 4) {
    three[to++] = four[from]; three[to++] = four[from + 1]; three[to++] = four[from + 2];
  }
  let text = "";
  for (let at = 0; at < three.length; at += 30000) text += String.fromCharCode(...three.subarray(at, at + 30000));
  camera.number += 1;
  camera.send({ number: camera.number, width: canvas.width, height: canvas.height, pixels: btoa(text) });
  camera.waiting = setTimeout(() => next(camera), PATIENCE_MS);
}

function draw(canvas, video, data) {
  canvas.width = video.videoWidth;
  canvas.height = video.videoHeight;
  const context = canvas.getContext("2d"), scale = video.videoWidth / data.width, size = 16 * canvas.width / (canvas.clientWidth || canvas.width);
  context.font = `600 ${size}px system-ui, sans-serif`;
  context.lineWidth = size / 6;
  for (const face of data.faces) {
    const [left, top, width, height] = face.box.map((number) => number * scale);
    context.strokeStyle = context.fillStyle = face.colour;
    context.strokeRect(left, top, width, height);
    const long = context.measureText(face.words).width + size, above = Math.max(0, top - 1.5 * size);
    context.fillRect(left, above, long, 1.5 * size);
    context.fillStyle = "#161618";
    context.fillText(face.words, left + size / 2, above + 1.1 * size);
  }
}
