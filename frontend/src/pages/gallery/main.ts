// All parts in all states, for those who build pages and for the pictures of docs/DESIGN-SYSTEM.md.
// It is no part of the program: only vite.gallery.config.ts builds it.
import { mount } from 'svelte';
import '../../app.css';
import Gallery from './Gallery.svelte';

const target = document.getElementById('app');
if (!target) throw new Error('gallery.html has no #app');
mount(Gallery, { target });
