// Package limit bounds the memory that requests in progress take: Bytes is the budget of them all, Share the part of it
// that one stream may hold.
package limit
