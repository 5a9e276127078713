// Package ws is the WebSocket door: Jina's protocol in binary messages, as clip_client speaks it, and in JSON text messages
// for browsers.
//
// A connection is a goroutine that reads frames, and one for each request in progress. Frames come from and go to the
// socket by github.com/gobwas/ws, which shows the length of a frame before its payload is read: that is where a
// connection is held back, and where the budget of bytes is asked, rather than after the memory is taken. The message is
// read into the one buffer that the request then lies in.
package ws
