// While a task waits, its page asks every second how far it is.
const outcome = () => document.querySelector("#outcome");

async function look() {
  const answer = await fetch(location.href, { headers: { Accept: "text/html" } }).catch(() => null);
  if (answer?.ok) {
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const now = page.querySelector("#outcome");
    if (now && now.innerHTML !== outcome().innerHTML) outcome().replaceChildren(...now.childNodes);
    if (now?.dataset.open !== undefined) setTimeout(look, 1000);
  } else {
    setTimeout(look, 1000);
  }
}

if (outcome()?.dataset.open !== undefined) setTimeout(look, 1000);
