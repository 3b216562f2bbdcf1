variable "endpoint" {
  description = "Where Tidegate's AWS API listens."
  type        = string
  default     = "http://127.0.0.1:4566"
}

variable "region" {
  type    = string
  default = "us-east-1"
}

variable "name" {
  description = "Prefix of every name. Changing it replaces what AWS cannot rename."
  type        = string
  default     = "orders"
}

variable "issuer" {
  description = "Whose tokens the guarded routes take: an OpenID Connect issuer. Plain HTTP is for loopback only."
  type        = string
  default     = "https://issuer.example.com"
}

variable "domain_name" {
  description = "The name in front of the API, where there is a certificate for it."
  type        = string
  default     = "orders.example.com"
}

variable "certificate" {
  description = "Path of the certificate and its key, without .crt and .key. Empty: no domain name."
  type        = string
  default     = ""
}

variable "revision" {
  description = "Any other number changes every resource that AWS can change in place, and replaces none."
  type        = number
  default     = 1
}

variable "target_port" {
  description = "The port of the private service."
  type        = number
  default     = 8080
}
