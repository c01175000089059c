/// The program's version, as `--version` prints it and requests carry it.
package enum Version { package static let current = "0.2.0" }
