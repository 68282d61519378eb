package main

import (
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/heraldconf/herald/shared/config"
)

const (
	plainText   = "text/plain"
	octetStream = "application/octet-stream"
)

// extensions are those that say a media type; the first of a type is the one
// that a file is given. XML is text/xml, so that it stands readable in a
// snapshot. Others (.ini, .conf, .properties, .env …) say none.
var extensions = []struct{ extension, mediaType string }{
	{".json", "application/json"},
	{".yaml", "application/yaml"},
	{".yml", "application/yaml"},
	{".toml", "application/toml"},
	{".txt", plainText},
	{".md", "text/markdown"},
	{".html", "text/html"},
	{".htm", "text/html"},
	{".xml", "text/xml"},
	{".csv", "text/csv"},
	{".css", "text/css"},
	{".js", "text/javascript"},
	{".bin", octetStream},
}

// extensionOf is the extension of a file that holds a document of that type.
// Every type has one: where none is its own, that of its kind.
func extensionOf(mediaType string) string {
	for _, e := range extensions {
		if e.mediaType == mediaType {
			return e.extension
		}
	}
	switch (config.Document{MediaType: mediaType}).Kind() {
	case config.JSON:
		return ".json"
	case config.YAML:
		return ".yaml"
	case config.TOML:
		return ".toml"
	case config.Text:
		return ".txt"
	}
	return ".bin"
}

// mediaTypeOf is the type of a document by its file's name; where that says
// none, text or bytes by its content.
func mediaTypeOf(file string, body []byte) string {
	extension := strings.ToLower(filepath.Ext(file))
	for _, e := range extensions {
		if e.extension == extension {
			return e.mediaType
		}
	}
	if utf8.Valid(body) {
		return plainText
	}
	return octetStream
}

// mediaTypeOver is mediaTypeOf for a file that takes the place of a document of
// the type standing. That one stays if the file is called what an export would
// call it, so that applying an export changes nothing, whatever the types are;
// and if the file's name says no type and the content can be of that one.
func mediaTypeOver(standing, file string, body []byte) string {
	extension := strings.ToLower(filepath.Ext(file))
	if extensionOf(standing) == extension {
		return standing
	}
	for _, e := range extensions {
		if e.extension == extension {
			return e.mediaType
		}
	}
	switch (config.Document{MediaType: standing}).Kind() {
	case config.Bytes:
		return standing
	case config.Text:
		if utf8.Valid(body) {
			return standing
		}
	}
	return mediaTypeOf(file, body)
}
