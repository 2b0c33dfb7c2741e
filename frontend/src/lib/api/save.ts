// Files that the page itself makes: the window writes them through the system's dialog, for a webview has no
// downloads; a browser downloads them.
import { native } from './native';

/** Saves a file and gives where, as far as that is known; null when somebody thought better of it. */
export async function saveFile(name: string, content: Blob): Promise<string | null> {
  if (native) return (await native.SaveFile(name, await base64(content))) || null;
  const url = URL.createObjectURL(content);
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000); // the download may still have to begin
  return name;
}

/** Read by the browser itself: a string of code units would be many times as slow. */
function base64(content: Blob): Promise<string> {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(String(reader.result).replace(/^[^,]*,/, ''));
    reader.onerror = () => reject(new Error('The file could not be put together.'));
    reader.readAsDataURL(content);
  });
}
