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

variable "client_bundle" {
  description = "The key, in the bucket `trust`, of the certificates that clients of the listener on 8443 have to lead to."
  type        = string
  default     = "clients.pem"
}

variable "issuer" {
  description = "The OpenID Connect provider of the rule that logs users in. Plain HTTP is for loopback only."
  type        = string
  default     = "https://login.example.com"
}

variable "user_pool" {
  description = "The user pool of the rule for members, with its client and its domain."
  type        = object({ id = string, client = string, domain = string })
  default     = { id = "us-east-1_shopUSERS", client = "shop", domain = "shop" }
}

variable "revision" {
  description = "Any other number changes every resource that AWS can change in place, and replaces none."
  type        = number
  default     = 1
}
