// Tells how far the technician's phone is, while he is on the way and as long as he lets it: rounded to about 1 km
// before it leaves the phone. Nothing is kept here but that he shares, until this tab is closed.
const part = document.querySelector("[data-share]");
const EVERY_MS = 60000;

function sharing(part) {
  const order = part.dataset.share;
  const kept = `share ${order}`;
  const on = part.querySelector("[data-sharing]");
  const off = part.querySelector("[data-asking]");
  const words = document.querySelector("#on-the-way [data-words]");
  let watch = null;
  let sentAt = 0;

  const show = (shares) => {
    on.hidden = !shares;
    off.hidden = shares;
  };
  const post = (path, fields) =>
    fetch(`/orders/${order}/${path}`, {
      method: "POST",
      body: new URLSearchParams(fields),
      headers: { "x-csrf-token": part.dataset.csrf, accept: "application/json" },
      redirect: "manual",
    });
  const end = () => {
    if (watch !== null) navigator.geolocation.clearWatch(watch);
    watch = null;
    sessionStorage.removeItem(kept);
    show(false);
  };
  const rounded = (degrees) => degrees.toFixed(2);

  async function tell(found) {
    if (watch === null || Date.now() - sentAt < EVERY_MS) return;
    sentAt = Date.now();
    const { latitude, longitude } = found.coords;
    const answer = await post("position", { latitude: rounded(latitude), longitude: rounded(longitude) }).catch(() => null);
    if (answer === null || watch === null) return; // no network now: the next one
    if (!answer.ok) {
      end(); // he has arrived, or the job is somebody else's
      words.textContent = "It is not shared any more.";
      return;
    }
    words.textContent = `The customer reads: on the way, ${(await answer.json()).words}.`;
  }
  function begin() {
    sessionStorage.setItem(kept, "yes");
    show(true);
    watch = navigator.geolocation.watchPosition(tell, (failure) => {
      if (failure.code !== failure.PERMISSION_DENIED) return;
      end();
      words.textContent = "Your phone does not allow it. You can say the minutes yourself.";
    }, { enableHighAccuracy: false, maximumAge: EVERY_MS });
  }
  part.querySelector("[data-begin]").addEventListener("click", begin);
  part.querySelector("[data-stop]").addEventListener("click", async () => {
    end();
    await post("arrival", { minutes: "" }).catch(() => null);
    words.textContent = "It is not shared any more.";
  });
  part.hidden = false;
  if (sessionStorage.getItem(kept)) begin();
}

if (part && "geolocation" in navigator) sharing(part);
