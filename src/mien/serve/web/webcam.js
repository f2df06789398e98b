// The webcam: one frame at a time goes to this server, the next when its answer is back.

const LONGER_SIDE = 640;
const PAUSE_MS = 60;
const FAILURES = { NotAllowedError: "The browser was not allowed to use the webcam.", NotFoundError: "No webcam was found.",
  NotReadableError: "The webcam is in use by another program." };

export class Webcam {
  constructor(video, onAnswer, onProblem, analyze) {
    Object.assign(this, { video, onAnswer, onProblem, analyze, running: false });
  }

  async start() {
    if (!navigator.mediaDevices?.getUserMedia) {
      throw new Error("This browser gives the webcam only to pages from this machine (localhost) or over HTTPS.");
    }
    const wanted = { video: { facingMode: "user", width: { ideal: 1280 }, height: { ideal: 720 } }, audio: false };
    try {
      this.stream = await navigator.mediaDevices.getUserMedia(wanted);
    } catch (error) {
      throw new Error(FAILURES[error.name] ?? `The webcam does not start (${error.name}).`);
    }
    this.video.srcObject = this.stream;
    await this.video.play();
    this.running = true;
    this.loop();
  }

  stop() {
    this.running = false;
    this.abort?.abort();
    this.stream?.getTracks().forEach((track) => track.stop());
    this.video.srcObject = null;
  }

  async loop() {
    const canvas = document.createElement("canvas");
    while (this.running) {
      const { videoWidth: width, videoHeight: height } = this.video;
      const scale = Math.min(1, LONGER_SIDE / Math.max(width, height, 1));
      canvas.width = Math.max(1, Math.round(width * scale));
      canvas.height = Math.max(1, Math.round(height * scale));
      canvas.getContext("2d").drawImage(this.video, 0, 0, canvas.width, canvas.height);
      const frame = await new Promise((done) => canvas.toBlob(done, "image/jpeg", 0.92));
      this.abort = new AbortController();
      try {
        const answer = await this.analyze(frame, this.abort.signal);
        if (this.running) this.onAnswer(answer, frame);
      } catch (error) {
        if (!this.running) return;
        // A busy server is asked again; anything else ends the webcam.
        if (error.type !== "BusyError") { this.stop(); this.onProblem(error); return; }
      }
      await new Promise((done) => setTimeout(done, document.hidden ? 500 : PAUSE_MS));
    }
  }
}
