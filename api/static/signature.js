// Draws a signature on a form that asks for one; without this script the form takes a picture.
function ready(form) {
  const field = form.querySelector("input[type=file]");
  const pad = document.createElement("canvas");
  pad.width = 600;
  pad.height = 200;
  pad.className = "pad";
  pad.setAttribute("aria-label", "Sign here");
  field.before(pad);
  field.hidden = true;
  field.required = false;
  const pen = pad.getContext("2d");
  pen.fillStyle = "#fff";
  pen.fillRect(0, 0, pad.width, pad.height);
  pen.lineWidth = 3;
  pen.lineCap = "round";
  let drawn = false;
  let drawing = false;
  const at = (event) => {
    const box = pad.getBoundingClientRect();
    return [((event.clientX - box.left) * pad.width) / box.width, ((event.clientY - box.top) * pad.height) / box.height];
  };
  pad.addEventListener("pointerdown", (event) => {
    drawing = true;
    pad.setPointerCapture(event.pointerId);
    pen.beginPath();
    pen.moveTo(...at(event));
  });
  pad.addEventListener("pointermove", (event) => {
    if (!drawing) return;
    drawn = true;
    pen.lineTo(...at(event));
    pen.stroke();
  });
  pad.addEventListener("pointerup", () => (drawing = false));
  form.addEventListener("submit", (event) => {
    if (field.files.length) return;
    event.preventDefault();
    if (!drawn) return;
    pad.toBlob((picture) => {
      const held = new DataTransfer();
      held.items.add(new File([picture], "signature.png", { type: "image/png" }));
      field.files = held.files;
      form.requestSubmit();
    }, "image/png");
  });
}

function readyAll() {
  for (const form of document.querySelectorAll("form[data-signature]")) if (!form.querySelector(".pad")) ready(form);
}

document.addEventListener("htmx:afterSwap", readyAll);
readyAll();
