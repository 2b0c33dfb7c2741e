import './app.css';

// What index.html holds is drawn first: the application takes a moment to be read and to run. A message,
// for the timers of a window that was hidden until now are slow.
await new Promise<unknown>((go) => {
  const { port1, port2 } = new MessageChannel();
  port1.onmessage = go;
  requestAnimationFrame(() => port2.postMessage(null));
  setTimeout(go, 500); // where no frame is drawn, as in a tab behind others
});
await import('./start');
