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
  default     = "shop"
}

variable "certificates" {
  description = "Paths of the certificates and their keys, without .crt and .key, by the name that each is for. The first one is the default."
  type        = list(string)
}

variable "issuer" {
  description = "The OpenID Connect provider of the rule that logs users in. Plain HTTP is for loopback only."
  type        = string
  default     = "https://login.example.com"
}

variable "revision" {
  description = "Any other number changes every resource that AWS can change in place, and replaces none."
  type        = number
  default     = 1
}
