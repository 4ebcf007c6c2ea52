// The page: logging in and out, and the first admin. What comes from the appliance is set as text, never as HTML.

const byId = (id) => document.getElementById(id);
let csrfToken = null;

function show(session) {
  csrfToken = session?.csrfToken ?? null;
  byId('session').hidden = session === null;
  byId('doors').hidden = session !== null;
  byId('who').textContent = session === null ? '' : `${session.user} (${session.role})`;
}

async function ask(method, path, body) {
  const headers = { 'X-CSRF-Token': csrfToken ?? '' };
  if (body !== undefined) headers['Content-Type'] = 'application/json';
  const response = await fetch(path, { method, headers, body: JSON.stringify(body) });
  const text = await response.text();
  return { ok: response.ok, json: text === '' ? null : JSON.parse(text) };
}

/** What a person reads when it was refused. */
const sentence = ({ title, detail, errors = [] }) =>
  [title, errors.length > 0 ? errors.map((error) => error.detail).join(', ') : detail].filter(Boolean).join(' ');

function onSubmit(form) {
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    const alert = form.querySelector('[role=alert]');
    const button = form.querySelector('button');
    alert.textContent = '';
    button.disabled = true;
    try {
      const filled = [...new FormData(form)].filter(([, value]) => value !== '');
      const answer = await ask('POST', form.getAttribute('action'), Object.fromEntries(filled));
      if (answer.ok) {
        form.reset();
        show(answer.json);
      } else alert.textContent = sentence(answer.json);
    } catch {
      alert.textContent = 'The appliance does not answer. · L’appareil ne répond pas.';
    } finally {
      button.disabled = false;
    }
  });
}

onSubmit(byId('log-in'));
onSubmit(byId('claim'));
byId('log-out').addEventListener('click', async () => {
  await ask('DELETE', '/api/v1/session').catch(() => undefined);
  show(null);
});
const now = await ask('GET', '/api/v1/session').catch(() => ({ ok: false }));
show(now.ok ? now.json : null);
