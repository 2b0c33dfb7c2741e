// uPlot makes a format for numbers in the system's language as soon as it is read. A webview in the C locale calls its language "C",
// which is none, and then there would be no charts.
try {
  new Intl.NumberFormat(navigator.language);
} catch {
  Object.defineProperty(navigator, 'language', { value: 'en', configurable: true });
}

export {};
