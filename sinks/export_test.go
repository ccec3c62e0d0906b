package sinks

// Columns is how wide the tests take text to be.
var Columns = columns
