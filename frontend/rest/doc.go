// Package rest is the HTTP/1.1 door: Jina's paths with JSON bodies, an OpenAPI document made of the same table that the
// router uses, and a page to try them.
package rest
