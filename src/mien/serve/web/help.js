// An explanation of every number where it stands: a "?" that opens a few sentences below it.

import { $, fill, html } from "./dom.js";

/** What is explained: [the question, the answer]. */
export const TERMS = {
  p_correct: ["How far can I trust it?",
    "Of answers like this one, given on faces with known labels, so many were right. \"Right\" means that it is what most people saw in the face, not what its owner feels. It is fitted on a collection in which some emotions are rare: where yours is mixed otherwise, the share is another. From 90% mien says the emotion plainly; below 70% it says \"perhaps\" and names the next likely one."],
  interval: ["What does the interval mean?",
    "The share was measured on a limited number of faces. With 95% probability the true share lies between these two ends; few such faces make a wide interval."],
  visible: ["How is it known what is hidden?",
    "A network looks whether eyes, nose and mouth can be seen, and leaves out what is covered. Hide or show a part yourself to see what the answer would be without or with it, and how far it could be trusted."],
  bits: ["What are bits, and what is a Shapley value?",
    "One bit doubles the odds of the answer against chance: +1 bit makes it twice as likely, −1 half as likely, 0 changes nothing. What eyes, nose and mouth tell overlaps, so what a part adds depends on what was seen before it; its Shapley value is its mean over all orders in which the parts could be uncovered. The values sum to what all visible parts tell together."],
  probabilities: ["How do these differ from the trust above?",
    "They are the calibrated probabilities of the eight emotions for this face, and sum to 100%. The trust above is how often an answer with such probabilities was right; both are close to each other, and where they differ, believe the trust."],
  areas: ["What is an area?",
    "Each area shows one, two or all three of eyes, nose and mouth, and gives an answer of its own. The first row is mien's answer, from all that is visible. An area that shows a covered part is not part of it, and no trust is given for it."],
  heatmap: ["What does the heat map show?",
    "Where a second network, which sees the whole face, finds signs of this emotion (class activation map). Red speaks most for it, blue least; the scale is this face's own. It does not say how far the answer can be trusted."],
  prior: ["Why does the mix matter?",
    "How likely an answer is depends on how frequent its emotion is where the pictures come from. If yours are mixed otherwise than the training data, as psychologists' picture sets are, say so: answers and trust are weighted anew."],
  table: ["What is in the table?",
    "One row for each face of every picture and of every analysed moment of a video. The filters choose what is shown and what is saved. The CSV has the columns of the command line (mien analyze --out), the JSON all that the server said."],
  size: ["Why does the size matter?",
    "The side of the face's box in pixels. Very small faces are blurred for the networks; outside the sizes that were measured, a note says so."],
};

let opened = 0;

function explanation(name) {
  const [question, answer] = TERMS[name];
  const id = `explains-${name}-${++opened}`;
  const words = html("span", { class: "explains", id, hidden: true }, answer);
  const button = html("button", { type: "button", class: "ask", "aria-label": question, title: question, "aria-expanded": "false", "aria-controls": id,
    onclick: () => {
      words.hidden = !words.hidden;
      button.setAttribute("aria-expanded", String(!words.hidden));
    },
    onkeydown: (event) => { if (event.key === "Escape" && !words.hidden) button.click(); } }, "?");
  return [button, words];
}

/** Put a "?" wherever the page asks for one, and all of them on the page of help. */
export function placeHelp() {
  for (const place of document.querySelectorAll("[data-explains]")) {
    const [button, words] = explanation(place.dataset.explains);
    place.replaceWith(button);
    const head = button.closest(".head");
    if (head) head.after(words); else button.after(words);
  }
  fill($("glossary"), Object.values(TERMS).map(([question, answer]) => [html("dt", {}, question), html("dd", {}, answer)]));
}
