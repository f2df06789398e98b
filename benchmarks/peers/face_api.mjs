// @vladmandic/face-api with tfjs's wasm backend on one photo: node face_api.mjs PHOTO tiny|ssd [once]
// Run in the folder whose node_modules holds it (see ../README.md).
import { createRequire } from 'node:module';
import path from 'node:path';
import readline from 'node:readline';

const require = createRequire(path.join(process.cwd(), 'x.js'));
const tf = require('@tensorflow/tfjs');
const wasm = require('@tensorflow/tfjs-backend-wasm');
const faceapi = require('@vladmandic/face-api/dist/face-api.node-wasm.js');
const { createCanvas, loadImage } = require('@napi-rs/canvas');

const [photo, finder, once] = process.argv.slice(2);
const models = path.join(path.dirname(require.resolve('@vladmandic/face-api/package.json')), 'model');

wasm.setWasmPaths(path.join(path.dirname(require.resolve('@tensorflow/tfjs-backend-wasm/package.json')), 'dist') + path.sep);
await tf.setBackend('wasm');
await tf.ready();
const network = finder === 'tiny' ? faceapi.nets.tinyFaceDetector : faceapi.nets.ssdMobilenetv1;
await network.loadFromDisk(models);
await faceapi.nets.faceLandmark68Net.loadFromDisk(models);
await faceapi.nets.faceExpressionNet.loadFromDisk(models);
const options = finder === 'tiny' ? new faceapi.TinyFaceDetectorOptions() : new faceapi.SsdMobilenetv1Options();

async function work() {
  const image = await loadImage(photo);
  const canvas = createCanvas(image.width, image.height);
  canvas.getContext('2d').drawImage(image, 0, 0);
  const pixels = canvas.getContext('2d').getImageData(0, 0, image.width, image.height);
  const rgba = tf.tensor3d(new Int32Array(pixels.data), [image.height, image.width, 4], 'int32');
  const rgb = tf.slice3d(rgba, [0, 0, 0], [-1, -1, 3]);
  const faces = await faceapi.detectAllFaces(rgb, options).withFaceLandmarks().withFaceExpressions();
  tf.dispose([rgba, rgb]);
  return faces;
}

if (once) {
  const faces = await work();
  console.log(JSON.stringify(faces.map((f) => f.expressions)));
  process.exit(0);
}
console.log(JSON.stringify({ ready: true }));
for await (const _ of readline.createInterface({ input: process.stdin })) {
  const began = performance.now(), cpu = process.cpuUsage();
  const faces = await work();
  const used = process.cpuUsage(cpu);
  console.log(JSON.stringify({
    wall: (performance.now() - began) / 1e3, cpu: (used.user + used.system) / 1e6, items: 1, faces: faces.length,
  }));
}
