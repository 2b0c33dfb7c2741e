package models

// seekHole is SEEK_HOLE of lseek(2).
const seekHole = 3
